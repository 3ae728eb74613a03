package tokenstoretest

import (
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/regrant/regrant/tokenstore"
)

const (
	workers = 8
	rounds  = 5
)

func creators(p *place) error {
	for range rounds {
		key := newKey()
		absent := p.absent(key)
		var mu sync.Mutex
		var winners []string
		err := together(workers, func(i int) error {
			data := strconv.Itoa(i)
			_, err := p.handle(i).Save(p.ctx, key, []byte(data), absent)
			if err != nil {
				return conflict("a creating Save that lost", err)
			}
			mu.Lock()
			defer mu.Unlock()
			winners = append(winners, data)
			return nil
		})
		if err != nil {
			return err
		}
		if len(winners) != 1 {
			return fmt.Errorf("%d of %d succeeded", len(winners), workers)
		}
		if err := p.holds(0, key, winners[0]); err != nil {
			return fmt.Errorf("after one succeeded: %w", err)
		}
	}
	return nil
}

func swappers(p *place) error {
	key := newKey()
	if _, err := p.create(key, "0"); err != nil {
		return err
	}
	var mu sync.Mutex
	based := map[tokenstore.Version]int{}
	err := together(workers, func(i int) error {
		for done := 0; done < rounds; {
			old, err := p.increment(p.handle(i), key)
			if errors.Is(err, tokenstore.ErrConflict) {
				continue
			}
			if err != nil {
				return err
			}
			done++
			mu.Lock()
			based[old]++
			mu.Unlock()
		}
		return nil
	})
	if err != nil {
		return err
	}
	for v, n := range based {
		if n > 1 {
			return fmt.Errorf("%d Saves based on version %q succeeded", n, v)
		}
	}
	if err := p.holds(0, key, strconv.Itoa(workers*rounds)); err != nil {
		return fmt.Errorf("after %d workers added 1 %d times each: %w", workers, rounds, err)
	}
	return nil
}

func (p *place) increment(s tokenstore.Store, key tokenstore.Key) (old tokenstore.Version, err error) {
	data, old, err := s.Load(p.ctx, key)
	if err != nil {
		return "", err
	}
	n, err := strconv.Atoi(string(data))
	if err != nil {
		return "", err
	}
	_, err = s.Save(p.ctx, key, []byte(strconv.Itoa(n+1)), old)
	return old, err
}

func saveAgainstDelete(p *place) error {
	for range rounds {
		key := newKey()
		v, err := p.create(key, "first")
		if err != nil {
			return err
		}
		var saved, deleted error
		_ = together(2, func(i int) error {
			if i == 0 {
				_, saved = p.handle(0).Save(p.ctx, key, []byte("second"), v)
			} else {
				deleted = p.handle(1).Delete(p.ctx, key, v)
			}
			return nil
		})
		switch {
		case saved == nil && deleted == nil:
			return errors.New("both succeeded")
		case saved == nil:
			err = errors.Join(conflict("Delete", deleted), p.holds(0, key, "second"))
		case deleted == nil:
			err = errors.Join(conflict("Save", saved), p.empty(0, key))
		default:
			err = fmt.Errorf("neither succeeded: Save returned %w, Delete %w", saved, deleted)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func independentKeys(p *place) error {
	return together(workers, func(i int) error {
		s, key := p.handle(i), newKey()
		_, old, _ := s.Load(p.ctx, key)
		for range rounds {
			v, err := s.Save(p.ctx, key, []byte("content"), old)
			if err != nil {
				return fmt.Errorf("Save under a key that nobody else uses: %w", err)
			}
			old = v
		}
		return nil
	})
}
